-- Lifecycle events, as kept by hand or exported from an RMM.
SELECT
  lower(trim(system)) AS system, customer_native_id, native_sku, subject_kind, subject_id, lower(trim(event)) AS event, event_at, 'file' AS origin,
  coalesce(recorded_at, arrived_at) AS recorded_at, source_row
FROM raw
