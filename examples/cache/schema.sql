create table if not exists pages (path text primary key, content text not null);
