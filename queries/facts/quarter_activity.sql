-- fact: quarter_activity
-- grain: customer x service x month of the quarter in which something was delivered, charged or cost money
-- meaning: whether there is anything to judge; contracts alone reach into every quarter to come
-- reads: facts.fact_monthly
SELECT customer_key, service_key, month
FROM facts.fact_monthly
WHERE month BETWEEN $quarter_start AND $last_month AND (is_delivered OR is_billed OR cost IS NOT NULL OR one_off_revenue IS NOT NULL)
