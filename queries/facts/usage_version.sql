-- fact: usage_version
-- grain: native customer x SKU x month x currency x period x days of knowledge
-- meaning: usage of the year up to the quarter that became known, or was replaced, after its month's regular report: every version with the day on which it
--   became the truth (`known_on`), the day on which it no longer was (`gone_on`), and the day on which the thing itself was first reported
--   (`new_on`; none for what the vendor calls a correction). Rows of statements have no lasting ids: they are new if nothing of their
--   customer, SKU and period was reported before. So is what stands beside rows that are all said again to the digit. Assumed (inference), where
--   a source does not say what corrects: a row for just the subscription and period, longer than a day, that the regular report had charged
--   restates it. What the regular report said counts as known since the month began
-- reads: facts.usage_changed, known.vendor_usage
WITH
-- Equal rows of one delivery are told apart by their number, and those that the regular report had are the first ones.
numbered AS (
  SELECT *, count(*) FILTER (WHERE was_reported) OVER (PARTITION BY system, customer_native_id, native_sku, service_month, period_start, period_end,
                                                         subject_id, currency, category, quantity, cost) AS equal_before,
         row_number() OVER (PARTITION BY system, customer_native_id, native_sku, service_month, period_start, period_end,
                                         subject_id, currency, category, quantity, cost, known_from ORDER BY known_to) AS number
  FROM facts.usage_changed
),
beside AS (
  SELECT *, count(*) FILTER (WHERE was_reported) OVER (PARTITION BY system, customer_native_id, native_sku, service_month, period_start, period_end) AS said_before,
         count(*) FILTER (WHERE number <= equal_before) OVER (PARTITION BY system, customer_native_id, native_sku, service_month, period_start, period_end,
                                                                           known_from) AS said_again,
         min(known_from) OVER (PARTITION BY system, customer_native_id, native_sku, service_month, period_start, period_end,
                                            subject_id, currency, category, quantity, cost, number) AS first_so
  FROM numbered
),
charged AS (
  SELECT DISTINCT version.system, version.customer_native_id, version.native_sku, version.subject_id, version.period_start, version.period_end
  FROM facts.usage_changed AS version
  JOIN known.vendor_usage AS usage
    ON version.system = usage.system AND version.customer_native_id = usage.customer_native_id AND version.native_sku = usage.native_sku
    AND version.subject_id = usage.subject_id AND version.service_month = usage.service_month AND version.period_start = usage.period_start
    AND version.period_end = usage.period_end
  WHERE version.is_correction IS NULL AND version.period_end > version.period_start + INTERVAL '1 day' AND version.known_from > version.reported_at AND usage.recorded_at <= version.reported_at
    AND usage.service_month BETWEEN $year_start AND $last_month
),
dated AS (
  SELECT beside.*, CASE WHEN known_from <= reported_at THEN service_month ELSE CAST(known_from AS DATE) END AS known_on,
         CAST(known_to AS DATE) AS gone_on,
         CASE WHEN coalesce(is_correction, charged.system IS NOT NULL) THEN CAST(NULL AS DATE)
              WHEN coalesce(first_known_at, first_said_at) > reported_at THEN CAST(coalesce(first_known_at, first_said_at) AS DATE)
              WHEN NOT was_reported AND said_again = said_before AND number > equal_before THEN CAST(first_so AS DATE)
              ELSE service_month END AS new_on
  FROM beside
  LEFT JOIN charged
    ON beside.system = charged.system AND beside.customer_native_id = charged.customer_native_id AND beside.native_sku = charged.native_sku
    AND beside.subject_id = charged.subject_id AND beside.period_start = charged.period_start AND beside.period_end = charged.period_end
)
SELECT system, customer_native_id, native_sku, service_month, currency, measure, category, period_start AS from_at, period_end AS to_at,
       sum(CASE WHEN category IN ('usage', 'trial') THEN quantity END) AS quantity, sum(cost) AS cost, count(*) AS source_rows,
       known_on, gone_on, new_on
FROM dated
GROUP BY system, customer_native_id, native_sku, service_month, currency, measure, category, period_start, period_end, known_on, gone_on, new_on
