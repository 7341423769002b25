-- identity: customers
-- grain: customer x name
-- meaning: every name that a crosswalk, a register or a contract gives a customer
-- reads: known.customer_map, known.company, known.contract, facts.customer_alias
WITH named AS (
  SELECT customer_key, customer_name AS name FROM facts.customer_alias
  UNION
  SELECT customer_key, native_name FROM known.customer_map
  UNION
  SELECT alias.customer_key, company.native_name
  FROM known.company AS company
  JOIN facts.customer_alias AS alias ON company.system = alias.system AND normalise_id(company.native_id) = alias.native_id
  UNION
  SELECT alias.customer_key, contract.customer_native_name
  FROM known.contract AS contract
  JOIN facts.customer_alias AS alias ON contract.system = alias.system AND normalise_id(contract.customer_native_id) = alias.native_id
)
SELECT customer_key AS key, name FROM named WHERE customer_key IS NOT NULL ORDER BY 1, 2
