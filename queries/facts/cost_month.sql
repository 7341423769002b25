-- fact: cost_month
-- grain: customer x service x service month x currency
-- meaning: what vendors charged, in their currency; and what the length of months makes of the difference between a price a month and cycles that
--   are split by days (`calendar`): a price that stands is no other in the month that holds more days of a cycle from the 12th to the 12th
-- reads: facts.usage_month
SELECT customer_key, service_key, month, currency, sum(cost) AS cost,
       sum(CASE WHEN to_day = CAST(from_day + INTERVAL '1 month' AS DATE)
                THEN exact_quotient(exact_product(cost, CAST(to_day - from_day AS DECIMAL(38, 18))),
                                    CAST(CAST(month + INTERVAL '1 month' AS DATE) - month AS DECIMAL(38, 18))) - cost
                ELSE CAST(0 AS DECIMAL(38, 18)) END) AS calendar
FROM facts.usage_month
WHERE customer_key IS NOT NULL AND service_key IS NOT NULL AND cost IS NOT NULL
GROUP BY customer_key, service_key, month, currency
