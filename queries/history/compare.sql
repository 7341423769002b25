-- history: compare
-- grain: customer x service x month x currency of which either state knows something
-- meaning: two states of knowledge side by side. With E and B for what was expected and billed, at the cut-off (c), before (b) and
--   after (a): gap = E - B; missed = E_c - B_c was known in time; late = E_a - E_c could not be known; rebilled = B_a - B_c. What was billed
--   after the cut-off pays for what came late first, then for what was missed; the rest is the customer's money, never netted, so that
--     gap_after = missed_then + late_not_rebilled - overbilled
--     gap_after - gap_before = known_in_time + known_late - billed_in_time - rebilled_since
--   to the last digit. Months without a cut-off, or with one after the later date, may still be billed: nothing of them is late.
--   Months without a known price have no expectation, and no split
-- reads: compare.before, compare.after, compare.at_cutoff, compare.cutoff
WITH spine AS (
  SELECT customer_key, service_key, month, currency FROM compare.before
  UNION SELECT customer_key, service_key, month, currency FROM compare.after
),
joined AS (
  SELECT spine.customer_key, spine.service_key, spine.month, spine.currency,
         coalesce(after.customer_name, before.customer_name) AS customer_name, coalesce(after.service_name, before.service_name) AS service_name,
         cutoff.cutoff_date, cutoff.cutoff_date < $after_day AS is_closed, cutoff.cutoff_date > $before_day AS closes_between,
         before.expected IS NOT NULL OR after.expected IS NOT NULL AS is_priced,
         coalesce(before.expected, 0) AS expected_b, coalesce(after.expected, 0) AS expected_a, coalesce(at_cutoff.expected, 0) AS expected_then,
         coalesce(before.billed, 0) AS billed_b, coalesce(after.billed, 0) AS billed_a, coalesce(cutoff.billed_by_cutoff, 0) AS billed_then
  FROM spine
  LEFT JOIN compare.before AS before
    ON spine.customer_key = before.customer_key AND spine.service_key = before.service_key AND spine.month = before.month
    AND spine.currency = before.currency
  LEFT JOIN compare.after AS after
    ON spine.customer_key = after.customer_key AND spine.service_key = after.service_key AND spine.month = after.month
    AND spine.currency = after.currency
  LEFT JOIN compare.cutoff AS cutoff
    ON spine.customer_key = cutoff.customer_key AND spine.service_key = cutoff.service_key AND spine.month = cutoff.month
    AND spine.currency = cutoff.currency
  LEFT JOIN compare.at_cutoff AS at_cutoff
    ON spine.customer_key = at_cutoff.customer_key AND spine.service_key = at_cutoff.service_key AND spine.month = at_cutoff.month
    AND spine.currency = at_cutoff.currency AND cutoff.cutoff_date = at_cutoff.cutoff_date
),
at AS (
  SELECT *, CASE WHEN is_closed THEN expected_then ELSE expected_a END AS expected_c,
         CASE WHEN is_closed THEN billed_then ELSE billed_a END AS billed_c
  FROM joined
),
parts AS (
  SELECT *, expected_a - expected_c AS late, billed_a - billed_c AS rebilled,
         expected_a - CASE WHEN is_closed AND NOT closes_between THEN expected_b ELSE expected_c END AS known_late,
         billed_a - CASE WHEN is_closed AND NOT closes_between THEN billed_b ELSE billed_c END AS rebilled_since
  FROM at
),
paid AS (
  SELECT *, CASE WHEN late > 0 THEN least(greatest(rebilled, 0), late) WHEN late < 0 THEN greatest(least(rebilled, 0), late) ELSE 0 END
              AS late_rebilled
  FROM parts
),
split AS (
  -- Usage that was taken back later makes what was missed smaller, or what was billed too much.
  SELECT *, greatest(late - late_rebilled, 0) AS late_open,
         (expected_c - billed_c) - (rebilled - late_rebilled) + least(late - late_rebilled, 0) AS known_open
  FROM paid
)
SELECT customer_key, customer_name, service_key, service_name, month, currency, cutoff_date,
       CASE WHEN is_priced THEN expected_b END AS expected_before, CASE WHEN is_priced THEN expected_a END AS expected_after,
       billed_b AS billed_before, billed_a AS billed_after,
       CASE WHEN is_priced THEN expected_b - billed_b END AS gap_before, CASE WHEN is_priced THEN expected_a - billed_a END AS gap_after,
       CASE WHEN is_priced THEN late END AS could_not_be_known, CASE WHEN is_priced THEN rebilled END AS rebilled,
       CASE WHEN is_priced THEN greatest(known_open, 0) END AS missed_then, CASE WHEN is_priced THEN late_open END AS late_not_rebilled,
       CASE WHEN is_priced THEN greatest(-known_open, 0) END AS overbilled,
       CASE WHEN is_priced THEN (expected_a - expected_b) - known_late END AS known_in_time, CASE WHEN is_priced THEN known_late END AS known_late,
       CASE WHEN is_priced THEN (billed_a - billed_b) - rebilled_since END AS billed_in_time,
       CASE WHEN is_priced THEN rebilled_since END AS rebilled_since
FROM split
WHERE expected_a <> expected_b OR billed_a <> billed_b OR (is_priced AND expected_a <> billed_a)
ORDER BY currency, customer_key, service_key, month
