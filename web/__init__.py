"""Flask blueprints: public tracking API, admin pages, health; and the `flask …` commands."""
