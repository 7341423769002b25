-- fact: billed_month
-- grain: customer x service x service month x currency
-- meaning: what the customer was invoiced: recurring and metered revenue with its quantity, one-off charges, credits; and what the
--   length of months makes of the difference between a price a month and lines that are split by days (`calendar`);
--   `from_day` to `to_day` are the days from the first to the last that a line covers
-- reads: facts.billed_line
SELECT customer_key, service_key, month, currency,
       sum(CASE WHEN kind IN ('recurring', 'usage') THEN quantity END) AS quantity,
       sum(CASE WHEN kind IN ('recurring', 'usage') THEN amount END) AS revenue,
       sum(CASE WHEN kind = 'one_off' THEN amount END) AS one_off,
       sum(CASE WHEN kind = 'credit' THEN amount END) AS credit,
       sum(CASE WHEN kind IN ('recurring', 'usage') THEN amount_by_month - amount END) AS calendar,
       min(CASE WHEN kind IN ('recurring', 'usage') THEN from_day END) AS from_day,
       max(CASE WHEN kind IN ('recurring', 'usage') THEN to_day END) AS to_day,
       bool_or(kind IN ('recurring', 'usage')) AS is_billed
FROM facts.billed_line
WHERE customer_key IS NOT NULL AND service_key IS NOT NULL
GROUP BY customer_key, service_key, month, currency
