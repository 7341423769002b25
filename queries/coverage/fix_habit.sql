-- coverage: fix_habit
-- unit: customers and services with recurring billing
-- grain: customer x service x currency
-- meaning: pairs with recurring billing in the window; a habit needs three of the last six months
-- reads: facts.fact_monthly
SELECT customer_key, service_key, currency,
       CASE WHEN count(*) FILTER (WHERE month > $last_month - INTERVAL '6 months') < 3 THEN 'too_short' END AS untested,
       sum(CASE WHEN month >= $quarter_start THEN revenue END) AS money
FROM facts.fact_monthly
WHERE month BETWEEN $window_start AND $last_month
GROUP BY customer_key, service_key, currency
HAVING bool_or(is_billed)
