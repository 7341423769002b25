-- fact: closed_month
-- grain: customer x service
-- meaning: up to which service month the billing of the pair has run: the latest month that a line of the pair covers to its end, or that should
--   have been invoiced by now, or the month before last of the newest invoice in the book. Later months may still be billed and are not judged.
--   A customer has services that are billed in advance and others in arrears: a month is due as many days after its end as the pair's months were
--   first invoiced at the latest, of the last twelve; for a pair that was never invoiced as many as the latest service of its customer, or, if
--   that is more, as is usual (the median) for its service. Now is the day of the newest invoice that is known: a pair which is billed no more
--   closes with the run in which it is missing. A quarter that ends before the first month of which the lake has an invoice line has no rows: it was
--   billed, or not, by invoices that are not in the lake. Assumed (inference): what is dated a day holds all invoices of that day
-- reads: facts.billed_line, facts.invoice_line, facts.fact_monthly
WITH book AS (
  -- In one row: two cross joins do not fit into little memory.
  SELECT max(day) AS day, min(month) AS opened
  FROM (
    SELECT CAST(invoice_date AS DATE) AS day, CAST(NULL AS DATE) AS month FROM facts.invoice_line
    WHERE coalesce(status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned')
    UNION ALL SELECT CAST(NULL AS DATE), month FROM facts.billed_line
  )
),
covered AS (
  SELECT customer_key, service_key, month, CAST(min(invoice_date) AS DATE) AS day
  FROM facts.billed_line
  WHERE kind IN ('recurring', 'usage') AND NOT is_proration AND to_day >= month + INTERVAL '1 month'
    AND customer_key IS NOT NULL AND service_key IS NOT NULL
  GROUP BY customer_key, service_key, month
),
dated AS (
  SELECT customer_key, service_key, month, day - CAST(month + INTERVAL '1 month' AS DATE) AS days_after,
         row_number() OVER (PARTITION BY customer_key, service_key ORDER BY month DESC) AS place
  FROM covered
),
own AS (
  SELECT customer_key, service_key, max(month) AS month, max(CASE WHEN place <= 12 THEN days_after END) AS days_after
  FROM dated GROUP BY customer_key, service_key
),
customer AS (SELECT customer_key, max(days_after) AS days_after FROM own GROUP BY customer_key),
service AS (SELECT service_key, CAST(median(days_after) AS BIGINT) AS days_after FROM own GROUP BY service_key),
pair AS (SELECT DISTINCT customer_key, service_key FROM facts.fact_monthly),
due AS (
  SELECT pair.customer_key, pair.service_key, own.month, book.day,
         coalesce(own.days_after, greatest(customer.days_after, service.days_after)) AS days_after
  FROM pair
  CROSS JOIN book
  LEFT JOIN own ON pair.customer_key = own.customer_key AND pair.service_key = own.service_key
  LEFT JOIN customer ON pair.customer_key = customer.customer_key
  LEFT JOIN service ON pair.service_key = service.service_key
  WHERE book.opened IS NOT NULL
)
SELECT customer_key, service_key,
       greatest(month, CAST(date_trunc('month', day) - INTERVAL '2 months' AS DATE),
                CAST(date_trunc('month', day - days_after) - INTERVAL '1 month' AS DATE)) AS month
FROM due
