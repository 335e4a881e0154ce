package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/iomete/saml"
)

// parts are what a router joins.
func parts(c config) (*sessions, *saml.ServiceProvider, *saml.Handler, error) {
	idp, err := saml.ParseMetadata(c.Metadata)
	if err != nil {
		return nil, nil, nil, err
	}
	sp, err := saml.New(saml.Config{BaseURL: c.BaseURL, IdentityProvider: idp, StateKeys: c.StateKeys, Store: c.Store})
	if err != nil {
		return nil, nil, nil, err
	}
	s := newSessions(c.Users, c.Sessions, false)
	return s, sp, sp.Handler(s), nil
}

// newEchoService is the service with echo in place of chi.
func newEchoService(c config) (http.Handler, error) {
	sessions, sp, login, err := parts(c)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(echo.WrapMiddleware(sessions.LoadAndSave))
	e.Any(sp.RedirectPath(), echo.WrapHandler(login))
	private := e.Group("")
	private.Use(echo.WrapMiddleware(login.Require))
	private.GET("/jobs", func(c echo.Context) error {
		return c.String(http.StatusOK, userFrom(c.Request().Context()).Email+" reads "+c.Request().URL.Path)
	})
	return e, nil
}

func TestEcho(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newEchoService)
	b := h.browser()
	b.open("/jobs").wantAsked()
	b.signIn("/jobs", analyst).want(http.StatusOK, analyst.Mail+" reads /jobs")
	b.open("/jobs").want(http.StatusOK, analyst.Mail)
}

// TestEverythingBehindRequire: with one Use for the whole router, the Handler stands in front of it,
// because Require must not guard the Redirect URL. Otherwise the page says what to change.
func TestEverythingBehindRequire(t *testing.T) {
	t.Parallel()
	routers := map[string]func(require func(http.Handler) http.Handler) http.Handler{
		"chi": func(require func(http.Handler) http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(require)
			r.Get("/jobs", home)
			return r
		},
		"echo": func(require func(http.Handler) http.Handler) http.Handler {
			e := echo.New()
			e.Use(echo.WrapMiddleware(require))
			e.GET("/jobs", echo.WrapHandler(http.HandlerFunc(home)))
			return e
		},
	}
	for name, router := range routers {
		for _, inFront := range []bool{true, false} {
			h := newHouse(t, func(c config) (http.Handler, error) {
				sessions, sp, login, err := parts(c)
				if err != nil {
					return nil, err
				}
				app := router(login.Require)
				if !inFront {
					return sessions.LoadAndSave(app), nil
				}
				mux := http.NewServeMux()
				mux.Handle(sp.RedirectPath(), login)
				mux.Handle("/", app)
				return sessions.LoadAndSave(mux), nil
			})
			page := h.browser().signIn("/jobs", analyst)
			if signedIn := strings.Contains(page.body, analyst.Mail); signedIn != inFront {
				t.Errorf("%s, Handler in front %t: got status %d, %s", name, inFront, page.status, page.body)
			}
			if !inFront && !strings.Contains(page.body, string(saml.CodeConfig)) {
				t.Errorf("%s: got %s, want the code %s", name, page.body, string(saml.CodeConfig))
			}
		}
	}
}
