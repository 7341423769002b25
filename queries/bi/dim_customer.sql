-- table: dim_customer
-- title: Customers
-- meaning: every customer of the crosswalks and of the facts; `(none)` stands for findings about no single customer
-- key: customer_key
-- columns: customer_key: the customer, one key for all systems;
--   customer_name: its name, for people
WITH named AS (
  SELECT customer_key, customer_name FROM core.customer
  UNION ALL SELECT customer_key, customer_name FROM marts.finding
  UNION ALL SELECT customer_key, NULL FROM marts.fact_monthly
  UNION ALL SELECT customer_key, NULL FROM marts.gap_bridge
  UNION ALL SELECT customer_key, NULL FROM marts.finding_evidence
  UNION ALL SELECT customer_key, NULL FROM marts.recovered
)
SELECT customer_key, coalesce(min(customer_name), customer_key) AS customer_name FROM named WHERE customer_key IS NOT NULL GROUP BY customer_key
UNION ALL SELECT '(none)', 'No single customer'
