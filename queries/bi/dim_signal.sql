-- table: dim_signal
-- title: Signals
-- meaning: what is looked for
-- key: signal
-- columns: signal: its id, as in every fact;
--   signal_title: its name, for people;
--   question: what it answers;
--   family: `trend` for statistics over months, `seam` for a comparison of systems;
--   basis: whose money it is, `revenue`, `cost` or `overbilling`, a finding may differ;
--   action: what to do about a finding
WITH named AS (
  SELECT signal, title, question, family, basis, action FROM bi.signal_header
  UNION ALL SELECT DISTINCT signal, NULL, NULL, family, NULL, NULL FROM marts.finding
)
SELECT signal, coalesce(min(title), signal) AS signal_title, min(question) AS question, min(family) AS family, min(basis) AS basis, min(action) AS action
FROM named GROUP BY signal
