"""Users and their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from accounts.models import User

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:
    _UserAdmin = DjangoUserAdmin

admin.site.unregister(Group)


class _SearchedChoices:
    """Groups and permissions in a box that is searched: Django's two boxes have labels that screen readers may not be given."""

    def formfield_for_manytomany(self, db_field: ManyToManyField[Any, Any], *args: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, *args, **kwargs)  # type: ignore[misc]
        # Afterwards: unfold replaces the class by which its script finds the box.
        field.widget = UnfoldAdminSelect2MultipleWidget()
        field.widget.choices = field.choices
        field.help_text = db_field.help_text
        return field

    class Media:
        css = {"all": ("accounts/admin.css",)}


@admin.register(User)
class UserAdmin(_SearchedChoices, _UserAdmin, ModelAdmin):
    """Users who may sign in."""

    filter_horizontal = ()
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(_SearchedChoices, DjangoGroupAdmin, ModelAdmin):
    """Permissions of the users in a group."""

    filter_horizontal = ()
