-- Adds search_threads() to what install.sql installs, for good: later installations keep it up.
--
--   psql -1 -v ON_ERROR_STOP=1 -f db/optional/search.sql -f db/install.sql
--
-- The same as `pgthreads migrate --with search`. What is stored already is indexed in the same
-- transaction, during which nobody is served.

set local pgthreads.optional = 'search';
