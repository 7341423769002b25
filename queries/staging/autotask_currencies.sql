-- Currencies by number. The code is the name or the description, whichever is one.
SELECT
  id AS native_id,
  CASE WHEN regexp_like(trim(name), '^[A-Za-z]{3}$') THEN upper(trim(name))
       WHEN regexp_like(trim(description), '^[A-Za-z]{3}$') THEN upper(trim(description)) END AS currency,
  "isInternalCurrency" AS is_default,
  source_row
FROM raw
