-- baseline: count comparison of the current month
-- grain: customer x service x currency
-- meaning: what a reconciliation tool does: the vendor's count beside the invoice's, for the month that is on the table. Any difference is
--   shown. Pairs that no vendor ever counted have nothing to compare
-- reads: marts.fact_monthly
WITH counted AS (
  SELECT DISTINCT customer_key, service_key FROM marts.fact_monthly WHERE delivered_quantity > 0
)
SELECT fact.customer_key, fact.service_key, fact.currency,
       exact_product(coalesce(fact.delivered_quantity, CAST(0 AS DECIMAL(38, 18))) - coalesce(fact.billed_quantity, CAST(0 AS DECIMAL(38, 18))),
                     fact.contract_price) AS money
FROM marts.fact_monthly AS fact
JOIN counted ON fact.customer_key = counted.customer_key AND fact.service_key = counted.service_key
WHERE fact.month = $last_month
  AND coalesce(fact.delivered_quantity, CAST(0 AS DECIMAL(38, 18))) <> coalesce(fact.billed_quantity, CAST(0 AS DECIMAL(38, 18)))
