"""The recommender service: the query pipeline, the API and the widget; and the admin site, which shows all three services."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class RecommenderConfig(AppConfig):
    """Owns nothing that cannot be rebuilt, but for what visitors did."""

    name = "recommender"
    verbose_name = _("Recommendations")
    default = True

    def ready(self) -> None:
        """Register the kind of job, the search by words, the stamped tables, the words of the audit log, and the admin of rules.

        Rules here: recommender.admin has the site itself, which is not made before.
        """
        from accounts import audit_words
        from catalog import text_search
        from catalog.stamps import Topic, watch
        from recommender.admin import rules  # noqa: F401
        from recommender.admin.audit_words import WORDS
        from recommender.job_kinds import register_kinds
        from recommender.models import Experiment, LearnedOrder, PairCount, Rule, RuleSet
        from recommender.searching import search_shop

        watch(Topic.SETUP, RuleSet, Rule, LearnedOrder, Experiment, PairCount)
        register_kinds()
        audit_words.name_actions(WORDS)
        text_search.register(search_shop)


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site for its default one."""

    default = False
    default_site = "recommender.admin.site.AdminSite"
