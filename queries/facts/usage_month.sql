-- fact: usage_month
-- grain: customer x service x month x currency x period of a level; keys are empty where the crosswalk does not know the ids
-- meaning: what was delivered and what it cost, in the service's own units, by service month, as it is known
-- reads: facts.usage_keyed
SELECT system, customer_native_id, native_sku, customer_key, service_key, month, currency, measure, category, from_day, to_day, quantity, cost,
       source_rows
FROM facts.usage_keyed
WHERE known_on IS NULL
