-- scorecard: psa_backed_money
-- title: Billed money that a PSA record backs
-- unit: share
-- better: higher
-- grain: billing system (none for the whole book) x currency
-- meaning: charges for the quarter of a customer and service that has a contract line in the PSA in that month. Money that no crosswalk ties to
--   a customer and service is not backed. Credits stand aside
-- reads: facts.billed_line, facts.contract_month
WITH line AS (
  SELECT billed.system, billed.currency, billed.amount, contract.customer_key IS NOT NULL AS is_backed
  FROM facts.billed_line AS billed
  LEFT JOIN facts.contract_month AS contract
    ON billed.customer_key = contract.customer_key AND billed.service_key = contract.service_key AND billed.month = contract.month
  WHERE billed.month BETWEEN $quarter_start AND $last_month AND billed.kind <> 'credit'
)
SELECT system, currency, sum(CASE WHEN is_backed THEN amount ELSE 0 END) AS part, sum(amount) AS whole
FROM line
GROUP BY GROUPING SETS ((system, currency), (currency))
