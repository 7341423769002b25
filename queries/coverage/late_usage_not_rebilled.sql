-- coverage: late_usage_not_rebilled
-- unit: delivered and billed months of the quarter
-- grain: customer x service x month x currency
-- meaning: delivered months with a price and a cut-off, of services whose vendors' reports are dated after the month; what is reported while the
--   month runs, and never again, cannot be late
-- reads: facts.fact_monthly, facts.billing_cutoff, facts.usage_month, facts.usage_report
WITH reported AS (
  SELECT DISTINCT usage.customer_key, usage.service_key, usage.month
  FROM facts.usage_month AS usage
  JOIN facts.usage_report AS report ON usage.system = report.system AND usage.month = report.service_month
  WHERE usage.customer_key IS NOT NULL AND usage.service_key IS NOT NULL
)
SELECT fact.customer_key, fact.service_key, fact.currency,
       CASE WHEN fact.expected_revenue IS NULL THEN 'no_unit_price'
            WHEN cutoff.usage_cutoff_date IS NULL THEN 'billing_has_not_run'
            WHEN reported.month IS NULL THEN 'no_report_after_the_month' END AS untested,
       coalesce(fact.expected_revenue, fact.revenue, fact.cost) AS money
FROM facts.fact_monthly AS fact
LEFT JOIN facts.billing_cutoff AS cutoff
  ON fact.customer_key = cutoff.customer_key AND fact.service_key = cutoff.service_key AND fact.month = cutoff.month
  AND fact.currency = cutoff.currency
LEFT JOIN reported
  ON fact.customer_key = reported.customer_key AND fact.service_key = reported.service_key AND fact.month = reported.month
WHERE fact.month BETWEEN $quarter_start AND $last_month AND fact.is_delivered
