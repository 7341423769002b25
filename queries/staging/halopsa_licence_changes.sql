-- The log of changed licence counts.
SELECT
  'licence' AS subject_kind,
  licence_id AS subject_id,
  client_id AS customer_native_id,
  'quantity' AS field_name,
  current_quantity AS old_value,
  new_quantity AS new_value,
  who AS changed_by,
  change_date AS changed_at,
  change_date AS recorded_at,
  source_row
FROM raw
