-- table: fact_gap
-- title: Expected against billed
-- meaning: what should have been billed for months of analysed quarters, and what was
-- grain: customer x service x month x currency
-- key: customer_key, service_key, month, currency
-- period: month
-- sums: expected, billed, gap
-- columns: customer_key: of dim_customer;
--   service_key: of dim_service;
--   month: service month, its first day, of dim_date;
--   currency: of the amounts, of dim_currency;
--   expected: what the terms in force give for what was delivered;
--   billed: what invoices charge for the month;
--   gap: expected less billed, the sum of its causes in fact_gap_cause
SELECT customer_key, service_key, month, currency, min(expected) AS expected, min(billed) AS billed, min(gap) AS gap
FROM marts.gap_bridge GROUP BY customer_key, service_key, month, currency
