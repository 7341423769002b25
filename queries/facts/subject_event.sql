-- fact: subject_event
-- grain: one thing that happened to a user, a device or a seat
-- meaning: dated events as they were stated, and what dated lists show beside them. A list tells a state; the first list that tells
--   another one dates the change (`snapshot`), unless the source dates it itself since the list before (`field`). A subject that a later
--   list shows under another customer or type has left the first. One that no later list shows is not concluded from: lists are
--   filtered and cut into pages. A change that a stated event tells already is not told again. `known_from` is the day of the system's first list
-- reads: known.lifecycle_event, core_history.subject_state
WITH listed AS (
  SELECT *, CAST(dense_rank() OVER (PARTITION BY system, subject_kind, subject_id ORDER BY recorded_at) AS BIGINT) AS list,
         min(recorded_at) OVER (PARTITION BY system, subject_kind) AS first_list_at
  FROM core_history.subject_state
),
compared AS (
  SELECT *,
         min(recorded_at) OVER (PARTITION BY system, subject_kind, subject_id ORDER BY list RANGE BETWEEN 1 FOLLOWING AND 1 FOLLOWING) AS next_list_at,
         lead(list) OVER pair AS next_list_of_pair,
         lag(list) OVER pair AS list_before, lag(state) OVER pair AS state_before, lag(recorded_at) OVER pair AS before_at
  FROM listed
  WINDOW pair AS (PARTITION BY system, customer_native_id, native_sku, subject_kind, subject_id ORDER BY recorded_at, batch_id, source_row)
),
change AS (
  -- First seen, come back, or in another state than in the list before.
  SELECT system, customer_native_id, native_sku, subject_kind, subject_id, state, list_before IS NULL OR list_before < list - 1 AS is_new,
         CASE WHEN CAST(state_since AS DATE) <= CAST(recorded_at AS DATE) AND (before_at IS NULL OR state_since > before_at)
              THEN state_since END AS stated_at,
         recorded_at AS listed_at, first_list_at, recorded_at, batch_id, source_row
  FROM compared
  WHERE (state_before IS DISTINCT FROM state) OR list_before < list - 1
  UNION ALL
  -- Listed again, but elsewhere.
  SELECT system, customer_native_id, native_sku, subject_kind, subject_id, 'deprovisioned', false, NULL AS stated_at, next_list_at AS listed_at, first_list_at, next_list_at AS recorded_at,
         batch_id, source_row
  FROM compared
  WHERE next_list_at IS NOT NULL AND (next_list_of_pair IS NULL OR next_list_of_pair > list + 1)
),
told AS (
  SELECT system, customer_native_id, native_sku, subject_kind, subject_id, event, event_at, origin,
         CASE event WHEN 'provisioned' THEN 'active' WHEN 'resumed' THEN 'active' ELSE event END AS state,
         CAST(NULL AS DATE) AS known_from, recorded_at, batch_id, source_row, 0 AS rank
  FROM known.lifecycle_event
  UNION ALL
  SELECT system, customer_native_id, native_sku, subject_kind, subject_id,
         CASE WHEN state <> 'active' THEN state WHEN is_new THEN 'provisioned' ELSE 'resumed' END,
         coalesce(stated_at, listed_at), CASE WHEN stated_at IS NULL THEN 'snapshot' ELSE 'field' END, state,
         CAST(first_list_at AS DATE), recorded_at, batch_id, source_row, 1
  FROM change
),
-- Events of a change log about quantities say nothing of a state.
stated AS (
  SELECT *, lag(CASE WHEN state IN ('active', 'suspended', 'cancelled', 'deprovisioned', 'not_billable') THEN state END) IGNORE NULLS OVER (
              PARTITION BY system, subject_kind, normalise_id(customer_native_id), normalise_id(native_sku), normalise_id(subject_id)
              ORDER BY event_at, rank, event, batch_id, source_row) AS state_until_then
  FROM told
)
SELECT system, customer_native_id, native_sku, subject_kind, subject_id, event, event_at, origin, known_from, recorded_at, batch_id, source_row
FROM stated
WHERE rank = 0 OR (state_until_then IS DISTINCT FROM state)
