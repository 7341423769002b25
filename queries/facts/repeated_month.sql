-- fact: repeated_month
-- grain: customer x service x service month x currency
-- meaning: money of recurring lines that repeat a line of another invoice: the same SKU, quantity and amount for the same month. Whether
--   that is too much depends on what was expected
-- reads: facts.billed_line
WITH line AS (
  SELECT customer_key, service_key, month, currency, amount,
         dense_rank() OVER (PARTITION BY customer_key, service_key, month, currency, system, native_sku, quantity, amount ORDER BY invoice_id) AS invoice
  FROM facts.billed_line
  WHERE kind IN ('recurring', 'usage') AND NOT is_proration AND amount > 0 AND customer_key IS NOT NULL AND service_key IS NOT NULL
)
SELECT customer_key, service_key, month, currency, sum(amount) AS repeated
FROM line
WHERE invoice > 1
GROUP BY customer_key, service_key, month, currency
