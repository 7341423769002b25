-- table: dim_currency
-- title: Currencies
-- meaning: the currencies of the facts; amounts of two of them are never added
-- key: currency
-- columns: currency: ISO 4217 code;
--   currency_name: its name, for people;
--   minor_digits: decimals of its smallest coin
WITH used AS (
  SELECT currency FROM marts.fact_monthly
  UNION SELECT currency FROM marts.gap_bridge
  UNION SELECT currency FROM marts.finding
  UNION SELECT currency FROM marts.recovered
  UNION SELECT currency FROM marts.scorecard
  UNION SELECT currency FROM marts.coverage
)
SELECT coalesce(used.currency, '(none)') AS currency,
       coalesce(iso.currency_name, CASE WHEN used.currency IS NULL THEN 'No amount of money' ELSE used.currency END) AS currency_name, iso.minor_digits
FROM (SELECT currency FROM used UNION SELECT CAST(NULL AS VARCHAR)) AS used
LEFT JOIN bi.iso_currency AS iso ON used.currency = iso.currency
