-- scorecard: manual_money
-- title: Money that rests on manual or one-off lines
-- unit: share
-- better: lower
-- grain: billing system (none for the whole book) x currency
-- meaning: one-off charges and credits of the quarter, whatever their sign, of all that was billed and credited
-- reads: facts.billed_line
WITH line AS (
  SELECT system, currency, abs(amount) AS amount, kind IN ('one_off', 'credit') AS is_manual
  FROM facts.billed_line
  WHERE month BETWEEN $quarter_start AND $last_month
)
SELECT system, currency, sum(CASE WHEN is_manual THEN amount ELSE 0 END) AS part, sum(amount) AS whole
FROM line
GROUP BY GROUPING SETS ((system, currency), (currency))
