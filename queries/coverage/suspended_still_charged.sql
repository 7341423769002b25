-- coverage: suspended_still_charged
-- unit: months of the quarter in which a vendor states a level and takes money for it
-- grain: customer x service x month x currency
-- meaning: months of which a list of users or devices, or events about them, tell who is active; services that no such list speaks of are not judged
-- reads: facts.fact_monthly
SELECT customer_key, service_key, currency, CASE WHEN suspended_subjects IS NULL THEN 'no_list_of_users_or_devices' END AS untested, cost AS money
FROM facts.fact_monthly
WHERE month BETWEEN $quarter_start AND $last_month AND reported_quantity > 0 AND cost > 0
