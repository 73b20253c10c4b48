show global status like 'Threads_connected';
select cast(@@max_connections as signed), cast(@@max_user_connections as signed),
    (select count(*) from information_schema.processlist
        where user = substring_index(user(), '@', 1))
