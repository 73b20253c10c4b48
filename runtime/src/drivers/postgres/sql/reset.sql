close all;
unlisten *;
set session authorization default;
reset all;
discard temp;
discard sequences;
select pg_catalog.pg_advisory_unlock_all()
