-- Creates the role that installs and upgrades pgthreads, in the database of this session. The image
-- of PostgreSQL runs this once, as the superuser, when it creates the database. After that nobody
-- connects as the superuser any more.

\getenv password INSTALLER_PASSWORD
create role installer login createrole password :'password';
select format('grant create on database %I to installer', current_database()) \gexec
