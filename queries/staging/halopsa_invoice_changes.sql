-- The audit of edits to invoices and their lines.
SELECT
  CASE WHEN nullif(nullif(invoice_line_id, '0'), '-1') IS NULL THEN 'invoice' ELSE 'invoice_line' END AS subject_kind,
  coalesce(nullif(nullif(invoice_line_id, '0'), '-1'), invoice_id) AS subject_id,
  invoice_id AS parent_id,
  field_name,
  old_value,
  new_value,
  who AS changed_by,
  datetime AS changed_at,
  datetime AS recorded_at,
  source_row
FROM raw
