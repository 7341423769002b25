-- fact: cost_month
-- grain: customer x service x service month x currency
-- meaning: what vendors charged, in their currency
-- reads: facts.usage_month
SELECT customer_key, service_key, month, currency, sum(cost) AS cost
FROM facts.usage_month
WHERE customer_key IS NOT NULL AND service_key IS NOT NULL AND cost IS NOT NULL
GROUP BY customer_key, service_key, month, currency
