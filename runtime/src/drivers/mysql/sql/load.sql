show global status where variable_name in ('Threads_connected', 'Connections');
select cast(@@max_connections as signed), cast(@@max_user_connections as signed),
    (select count(*) from information_schema.processlist
        where @@max_user_connections > 0 and user = substring_index(user(), '@', 1)),
    cast(connection_id() as signed)
