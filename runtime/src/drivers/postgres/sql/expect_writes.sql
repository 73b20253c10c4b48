select pg_catalog.int4div(1, case
    when pg_catalog.texteq(pg_catalog.current_setting('transaction_read_only'), 'on') then 0
    else 1
end);
