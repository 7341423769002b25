-- Users as the list of a day shows them; accounts that nobody is billed for are no seats.
SELECT
  client_id AS customer_native_id,
  'user' AS native_sku,
  'user' AS subject_kind,
  id AS subject_id,
  CASE
    WHEN coalesce(isserviceaccount, false) OR coalesce(ignoreautomatedbilling, false) THEN 'not_billable'
    WHEN inactive THEN 'suspended'
    ELSE 'active'
  END AS state,
  CASE WHEN NOT inactive AND NOT coalesce(isserviceaccount, false) AND NOT coalesce(ignoreautomatedbilling, false) THEN datecreated END
    AS state_since,
  source_row
FROM raw
