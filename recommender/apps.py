"""The recommender service: the query pipeline, the API and the widget; and the admin site, which shows all three services."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class RecommenderConfig(AppConfig):
    """Owns nothing that cannot be rebuilt, but for what visitors did."""

    name = "recommender"
    default = True

    def ready(self) -> None:
        """Register the kind of job, the search by words, and the admin of rules.

        Rules here: recommender.admin has the site itself, which is not made before.
        """
        from catalog import text_search
        from recommender.admin import rules  # noqa: F401
        from recommender.job_kinds import register_kinds
        from recommender.searching import ranked_ids

        register_kinds()
        text_search.register(ranked_ids)


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site for its default one."""

    default = False
    default_site = "recommender.admin.site.AdminSite"
