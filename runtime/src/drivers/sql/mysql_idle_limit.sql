select floor(@reuse_db_limit * :percent / 100) into @reuse_db_threshold;
set session wait_timeout = cast(:least_idle + :idle_range * least(1, greatest(0,
    2 * (@reuse_db_threshold - @reuse_db_connections) / greatest(@reuse_db_threshold, 1)
    )) as signed);
select coalesce(@reuse_db_sets, 0) + 1 into @reuse_db_sets;
