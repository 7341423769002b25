-- fact: gap_part
-- grain: customer x service x month x currency x cause, months whose billing has run; cells in order only of the quarter
-- meaning: expected less billed, split into causes that sum exactly (`split_gap`, src/rating/bridge.rs). A cell in order has one row without
--   a cause. Cells without a known price have no expectation and stand in coverage. What came late is told apart in the year up to the quarter;
--   before it, it stands among the units that were not billed. Months before the first one that any invoice covers were billed, or not, by
--   invoices that are not in the lake
-- reads: facts.fact_monthly, facts.closed_month, facts.repeated_month, facts.late_month, facts.billed_month,
--   facts.old_price_month
WITH uncovered AS (
  -- Days before the first line's and after the last one's, where the month before, or after, was owed too.
  SELECT line.customer_key, line.service_key, line.month, line.currency,
         CASE WHEN before.expected_revenue > 0 THEN line.from_day - line.month ELSE 0 END
           + CASE WHEN after.expected_revenue > 0 THEN CAST(line.month + INTERVAL '1 month' AS DATE) - line.to_day ELSE 0 END AS days,
         CAST(line.month + INTERVAL '1 month' AS DATE) - line.month AS of_days
  FROM facts.billed_month AS line
  LEFT JOIN facts.fact_monthly AS before
    ON line.customer_key = before.customer_key AND line.service_key = before.service_key AND line.currency = before.currency
    AND before.month = CAST(line.month - INTERVAL '1 month' AS DATE)
  LEFT JOIN facts.fact_monthly AS after
    ON line.customer_key = after.customer_key AND line.service_key = after.service_key AND line.currency = after.currency
    AND after.month = CAST(line.month + INTERVAL '1 month' AS DATE)
  WHERE line.from_day > line.month OR line.to_day < line.month + INTERVAL '1 month'
),
cell AS (
  SELECT fact.customer_key, fact.service_key, fact.month, fact.currency, fact.expected_revenue,
         coalesce(fact.revenue, 0) + coalesce(fact.one_off_revenue, 0) + coalesce(fact.credit, 0) AS billed,
         split_gap(fact.currency, fact.expected_revenue, fact.expected_contracted_revenue, fact.expected_billed_revenue, fact.revenue,
                   fact.one_off_revenue, fact.credit, repeated.repeated, late.late, late.corrected, line.calendar, fact.minimum_revenue,
                   round_money(exact_quotient(exact_product(fact.expected_revenue, CAST(uncovered.days AS DECIMAL(38, 18))),
                                              CAST(uncovered.of_days AS DECIMAL(38, 18))), fact.currency),
                   fact.is_billed, fact.is_contracted,
                   fact.is_delivered, old.customer_key IS NOT NULL) AS split
  FROM facts.fact_monthly AS fact
  JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
  CROSS JOIN (SELECT min(month) AS first_month FROM facts.billed_month) AS book
  LEFT JOIN facts.repeated_month AS repeated
    ON fact.customer_key = repeated.customer_key AND fact.service_key = repeated.service_key AND fact.month = repeated.month
    AND fact.currency = repeated.currency
  LEFT JOIN facts.billed_month AS line
    ON fact.customer_key = line.customer_key AND fact.service_key = line.service_key AND fact.month = line.month AND fact.currency = line.currency
  LEFT JOIN uncovered
    ON fact.customer_key = uncovered.customer_key AND fact.service_key = uncovered.service_key AND fact.month = uncovered.month
    AND fact.currency = uncovered.currency AND uncovered.days > 0
  LEFT JOIN facts.late_month AS late
    ON fact.customer_key = late.customer_key AND fact.service_key = late.service_key AND fact.month = late.month AND fact.currency = late.currency
  LEFT JOIN facts.old_price_month AS old
    ON fact.customer_key = old.customer_key AND fact.service_key = old.service_key AND fact.month = old.month AND fact.currency = old.currency
  WHERE NOT fact.is_trial AND coalesce(fact.month >= book.first_month, true)
    AND (fact.month >= $quarter_start OR (fact.expected_revenue IS DISTINCT FROM coalesce(fact.revenue, 0))
         OR coalesce(fact.one_off_revenue, 0) <> 0 OR coalesce(fact.credit, 0) <> 0)
),
part AS (
  SELECT customer_key, service_key, month, currency, coalesce(expected_revenue, 0) AS expected, billed, split['gap'] AS gap,
         unnest(split['parts']) AS part
  FROM cell
  WHERE split['gap'] IS NOT NULL
)
SELECT customer_key, service_key, month, currency, expected, billed, gap, part['cause'] AS cause, part['amount'] AS amount
FROM part
