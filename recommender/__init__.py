"""The recommender service: the query pipeline, the API and the widget."""
