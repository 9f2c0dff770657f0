-- Adds search_threads() to what install.sql installs. This is for good: later installations upgrade
-- it as well.
--
--   psql -1 -v ON_ERROR_STOP=1 -f db/optional/search.sql -f db/install.sql
--
-- `pgthreads migrate --with search` does the same. All stored messages are indexed in the same
-- transaction, during which nobody is served.

set local pgthreads.optional = 'search';
