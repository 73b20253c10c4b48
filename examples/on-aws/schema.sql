-- PostgreSQL and Aurora DSQL accept this statement, any number of times.
create table if not exists visits (
    path varchar(100) primary key,
    count bigint not null
);
