-- fact: usage_changed
-- grain: version of a row of usage
-- meaning: usage of the year up to the quarter that became known, or was replaced, after its month's regular report, as it was said
-- reads: core_history.usage_arrival, core_history.vendor_usage_version, facts.usage_report
WITH
-- Files in which something came, or was replaced, after the report of its month: mostly none, and then no row of usage is read.
late AS (
  SELECT DISTINCT arrival.batch_id
  FROM facts.usage_report AS report
  JOIN core_history.usage_arrival AS arrival
    ON report.system = arrival.system AND report.entity = arrival.entity AND report.provider = coalesce(arrival.provider, '')
    AND report.service_month = arrival.service_month
  WHERE arrival.known_from > report.reported_at OR arrival.known_to > report.reported_at
)
SELECT usage.system, usage.customer_native_id, usage.native_sku, usage.service_month, usage.currency, usage.measure, usage.category, usage.subject_id,
       usage.period_start, coalesce(usage.period_end, usage.period_start + INTERVAL '1 day') AS period_end, usage.quantity, usage.cost,
       usage.is_correction, usage.known_from, usage.known_to, usage.first_known_at, report.reported_at,
       usage.known_from <= report.reported_at AS was_reported,
       min(usage.known_from) OVER (PARTITION BY usage.system, usage.customer_native_id, usage.native_sku, usage.service_month,
                                                 usage.period_start, usage.period_end) AS first_said_at
FROM late
JOIN core_history.vendor_usage_version AS usage ON late.batch_id = usage.batch_id
JOIN facts.usage_report AS report
  ON report.system = usage.system AND report.entity = usage.entity AND report.provider = coalesce(usage.provider, '')
  AND report.service_month = usage.service_month
WHERE usage.service_month BETWEEN $year_start AND $last_month
  AND (usage.known_from > report.reported_at OR usage.known_to > report.reported_at)
