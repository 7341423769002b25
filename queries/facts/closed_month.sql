-- fact: closed_month
-- grain: customer
-- meaning: up to which service month the customer's billing has run: the latest month that any of its recurring lines covers, or the month
--   before last of the newest invoice in the book. Later months may still be billed and are not judged
-- reads: facts.billed_line, known.invoice_line, facts.fact_monthly
WITH book AS (
  SELECT CAST(date_trunc('month', max(invoice_date)) - INTERVAL '2 months' AS DATE) AS month FROM known.invoice_line
  WHERE coalesce(status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned')
),
own AS (
  SELECT customer_key, max(month) AS month FROM facts.billed_line
  WHERE kind IN ('recurring', 'usage') AND customer_key IS NOT NULL
  GROUP BY customer_key
),
customer AS (SELECT DISTINCT customer_key FROM facts.fact_monthly)
SELECT customer.customer_key, greatest(own.month, book.month) AS month
FROM customer
CROSS JOIN book
LEFT JOIN own ON customer.customer_key = own.customer_key
