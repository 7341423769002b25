-- view: core.customer
-- meaning: one row per customer
SELECT customer_key, min(customer_name) AS customer_name FROM facts.customer_alias GROUP BY customer_key
