-- history: state
-- grain: customer x service x month x currency of the quarter
-- meaning: what should have been billed and what was, as one state of knowledge has it
-- reads: facts.fact_monthly, facts.customer_alias, facts.service_alias
SELECT fact.customer_key, fact.service_key, fact.month, fact.currency, fact.expected_revenue AS expected, fact.revenue AS billed,
       customer.customer_name, service.service_name
FROM facts.fact_monthly AS fact
LEFT JOIN (SELECT customer_key, min(customer_name) AS customer_name FROM facts.customer_alias GROUP BY customer_key) AS customer
  ON fact.customer_key = customer.customer_key
LEFT JOIN (SELECT service_key, min(service_name) AS service_name FROM facts.service_alias GROUP BY service_key) AS service
  ON fact.service_key = service.service_key
WHERE fact.month BETWEEN $quarter_start AND $last_month
