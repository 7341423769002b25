-- fact: usage_report
-- grain: system x export x provider x service month of the year up to the quarter
-- meaning: when the month's regular report arrived: the first after the month's end. What it says was there to be billed, however early
--   the invoice is dated, as a run waits for it or reads it over another way. Months that were only reported while they ran have none
-- reads: core_history.usage_arrival
SELECT system, entity, coalesce(provider, '') AS provider, service_month, min(known_from) AS reported_at
FROM core_history.usage_arrival
WHERE service_month BETWEEN $year_start AND $last_month AND CAST(known_from AS DATE) >= service_month + INTERVAL '1 month'
GROUP BY system, entity, coalesce(provider, ''), service_month
