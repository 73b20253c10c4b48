create table readings (
    id bigint generated always as identity primary key,
    sensor text not null,
    value double precision not null
);
