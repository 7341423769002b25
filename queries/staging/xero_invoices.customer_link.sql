-- The customer's ids elsewhere, as an integration (`ContactNumber`) or a person (`AccountNumber`) wrote them on the contact.
SELECT native_id, CAST(NULL AS VARCHAR) AS other_system, other_id, min(source_row) AS source_row
FROM (
  SELECT "Contact.ContactID" AS native_id, "Contact.ContactNumber" AS other_id, source_row FROM raw WHERE upper("Type") = 'ACCREC'
  UNION ALL
  SELECT "Contact.ContactID", "Contact.AccountNumber", source_row FROM raw WHERE upper("Type") = 'ACCREC'
)
WHERE other_id IS NOT NULL
GROUP BY native_id, other_id
