-- fact: delivered_month
-- grain: customer x service x service month
-- meaning: what was delivered: the flow of the month, and the levels with the days on which they held
-- reads: facts.usage_month
SELECT customer_key, service_key, month,
       sum(CASE WHEN measure = 'flow' AND category = 'usage' THEN quantity END) AS flow,
       array_agg(named_struct('from_day', from_day, 'to_day', to_day, 'quantity', quantity))
         FILTER (WHERE measure = 'level' AND category = 'usage') AS levels,
       bool_or(category = 'trial') AS is_trial
FROM facts.usage_month
WHERE customer_key IS NOT NULL AND service_key IS NOT NULL
GROUP BY customer_key, service_key, month
