-- fact: billing_cutoff
-- grain: customer x service x month x currency of the year up to the quarter
-- meaning: when the month stopped being billable in the normal run, and what had been billed of it by then (by the invoices' dates,
--   whenever they were exported). The billing calendar says when: that of the system which bills the service, else the latest of
--   the customer; without one it is the first invoice that covers the month of this service, else the customer's last such first
--   invoice. Where no invoice covers the month it is still open. Assumed (inference): what is billed in advance is settled for its
--   usage by the run after next, so that its usage is late a month after the month's end; `rebilled` is what was billed after that day,
--   by a charge made once too
-- reads: facts.fact_monthly, facts.billed_line, known.billing_calendar
WITH line AS (
  SELECT system, customer_key, service_key, month, currency, amount, kind = 'one_off' AS is_one_off, CAST(invoice_date AS DATE) AS invoice_date
  FROM facts.billed_line
  WHERE (kind IN ('recurring', 'usage') OR (kind = 'one_off' AND amount > 0)) AND month BETWEEN $year_start AND $last_month
),
first_invoice AS (
  SELECT customer_key, service_key, month, min(invoice_date) AS day, first_value(system ORDER BY invoice_date, system) AS system
  FROM line WHERE customer_key IS NOT NULL AND service_key IS NOT NULL AND NOT is_one_off
  GROUP BY customer_key, service_key, month
),
last_run AS (
  SELECT customer_key, month, max(day) AS day, first_value(system ORDER BY day DESC, system) AS system
  FROM first_invoice GROUP BY customer_key, month
),
by_system AS (
  SELECT system, customer_key, CAST(date_trunc('month', service_month) AS DATE) AS month, max(cutoff_date) AS day
  FROM known.billing_calendar GROUP BY 1, 2, 3
),
by_customer AS (SELECT customer_key, month, max(day) AS day FROM by_system GROUP BY customer_key, month),
dated AS (
  SELECT fact.customer_key, fact.service_key, fact.month, fact.currency,
         coalesce(by_system.day, by_customer.day, first_invoice.day, last_run.day) AS cutoff_date,
         coalesce(by_system.day, by_customer.day, CASE
           WHEN coalesce(first_invoice.day, last_run.day) < fact.month + INTERVAL '1 month' THEN CAST(fact.month + INTERVAL '2 months' AS DATE)
           ELSE coalesce(first_invoice.day, last_run.day) END) AS usage_cutoff_date
  FROM facts.fact_monthly AS fact
  LEFT JOIN first_invoice
    ON fact.customer_key = first_invoice.customer_key AND fact.service_key = first_invoice.service_key AND fact.month = first_invoice.month
  LEFT JOIN last_run ON fact.customer_key = last_run.customer_key AND fact.month = last_run.month
  LEFT JOIN by_system
    ON fact.customer_key = by_system.customer_key AND fact.month = by_system.month
    AND coalesce(first_invoice.system, last_run.system) = by_system.system
  LEFT JOIN by_customer ON fact.customer_key = by_customer.customer_key AND fact.month = by_customer.month
  WHERE fact.month BETWEEN $year_start AND $last_month
)
SELECT dated.customer_key, dated.service_key, dated.month, dated.currency, dated.cutoff_date, dated.usage_cutoff_date,
       sum(CASE WHEN line.invoice_date <= dated.cutoff_date AND NOT line.is_one_off THEN line.amount END) AS billed_by_cutoff,
       sum(CASE WHEN line.invoice_date > dated.usage_cutoff_date THEN line.amount END) AS rebilled
FROM dated
LEFT JOIN line
  ON dated.customer_key = line.customer_key AND dated.service_key = line.service_key AND dated.month = line.month
  AND dated.currency = line.currency
GROUP BY dated.customer_key, dated.service_key, dated.month, dated.currency, dated.cutoff_date, dated.usage_cutoff_date
