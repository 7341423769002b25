-- identity: psa_keys
-- grain: customer
-- meaning: keys that a company in a PSA's register carries
-- reads: known.company, facts.customer_alias
SELECT DISTINCT alias.customer_key AS key
FROM known.company AS company
JOIN facts.customer_alias AS alias ON company.system = alias.system AND normalise_id(company.native_id) = alias.native_id
ORDER BY 1
