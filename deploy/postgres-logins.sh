#!/bin/sh
# Run once by PostgreSQL's image: the login that owns the schemas, and one login a service, which the owner may act as and
# give another password. None of them is a superuser.
set -eu
sql() { psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@"; }
sql -v password="$OWNER_PASSWORD" <<'SQL'
CREATE ROLE careline LOGIN CREATEROLE PASSWORD :'password';
ALTER DATABASE careline OWNER TO careline;
SQL
# made from the list of services
services="gateway classification points suitability callbacks complaints products relationships messaging"
# until here
for service in $services; do
    name=$(echo "$service" | tr '[:lower:]' '[:upper:]')_PASSWORD
    eval "password=\$$name"
    sql -v role="careline_$service" -v password="$password" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
GRANT :"role" TO careline WITH ADMIN OPTION;
SQL
done
